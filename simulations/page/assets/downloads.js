// JSON and CSV of every number, to six digits, of the documents that the page carries; the CSV as numbers.py writes it.
const NAMES = ["name", "id", "category", "model", "policy"];

function nameOf(entry, place) {
  if (entry === null || typeof entry !== "object" || Array.isArray(entry)) return String(place);
  return NAMES.filter((name) => typeof entry[name] === "string").map((name) => entry[name]).join(" / ") || String(place);
}

function* numbersIn(table, path, value) {
  if (Array.isArray(value)) {
    for (const [place, inner] of value.entries()) yield* numbersIn(table, [...path, nameOf(inner, place)], inner);
  } else if (value !== null && typeof value === "object") {
    for (const [name, inner] of Object.entries(value)) yield* numbersIn(table, [...path, name], inner);
  } else if (value === null || typeof value === "number") {
    const whole = path.length ? path : [table];
    yield [table, whole.slice(0, -1).join(" / "), whole.at(-1), value ?? ""];
  }
}

function csvOf(documents) {
  const quoted = (field) => (/[",\n\r]/.test(field) ? `"${String(field).replaceAll('"', '""')}"` : String(field));
  const lines = ["document,table,row,field,value"];
  for (const [name, content] of Object.entries(documents))
    for (const [table, value] of Object.entries(content))
      for (const row of numbersIn(table, [], value)) lines.push([name, ...row].map(quoted).join(","));
  return lines.join("\n") + "\n";
}

function download(kind) {
  const documents = JSON.parse(document.querySelector("script.documents").textContent);
  const all = Object.values(documents);
  const content = kind === "csv" ? csvOf(documents) : JSON.stringify(all.length === 1 ? all[0] : documents);
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([content], { type: kind === "csv" ? "text/csv" : "application/json" }));
  link.download = `report.${kind}`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60000);
}
