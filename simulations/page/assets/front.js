// The picture of cost and quality: a point that is chosen shows how to deploy it; points follow the wishes.
function element(name, text = "", className = "") {
  const made = document.createElement(name);
  made.textContent = text;
  if (className) made.className = className;
  return made;
}

function choose(article, points, place) {
  for (const button of article.querySelectorAll(".deploy"))
    button.setAttribute("aria-pressed", String(Number(button.dataset.point) === place));
  const point = points[place];
  const panel = article.querySelector(".panel");
  panel.replaceChildren(element("strong", point.name));
  panel.append(element("p", `${percent(point.answer)} of a good answer at ${usdPerThousand(point.cost_usd)} per 1,000 requests.`));
  if (!point.toml) {
    const learns = point.means.moved_by === "anything" && point.comparable;
    const says = learns ? "It is what a server does with the replay's configuration." : "The result has no configuration for it.";
    panel.append(element("p", says, "note"));
    return;
  }
  const code = element("code", point.toml);
  const pre = element("pre");
  pre.append(code);
  const copied = element("span", "", "note");
  const button = element("button", "Copy", "copy");
  button.type = "button";
  button.addEventListener("click", () => copy(code, copied));
  const says = "Replace these keys of routeward.toml; a table that is there already must not stand in it twice:";
  panel.append(element("p", says), pre, button, " ", copied);
}

async function copy(code, said) {
  try {
    await navigator.clipboard.writeText(code.textContent);
    said.textContent = "Copied.";
  } catch {
    getSelection().selectAllChildren(code); // not every browser lets a file use the clipboard
    said.textContent = "Selected; copy it with your keyboard.";
  }
}

function frontAt(spec, points, wishes, asked) {
  const found = points.map(({ answer, means, comparable }) => {
    const known = !moves(means, wishes, asked);
    return {
      answer, cost: known ? costOf(means, wishes) : null, value: known && comparable ? valueOf(means, wishes) : null,
    };
  });
  const values = found.map(({ value }) => value).filter((value) => value !== null);
  const most = Math.max(...values);
  const data = spec.data.map((trace, place) => {
    if (place === points.length) return { ...trace, ...joined(found) };
    const { cost, value } = found[place];
    return { ...trace, x: [perThousand(cost)], marker: { ...trace.marker, size: value !== null && value === most ? 20 : 12 } };
  });
  return { ...spec, data };
}

function perThousand(dollars) {
  return dollars === null ? null : 1000 * dollars;
}

function joined(found) {
  const best = [];
  const sorted = found.filter(({ cost }) => cost !== null).sort((a, b) => a.cost - b.cost || b.answer - a.answer);
  for (const point of sorted) if (!best.length || point.answer > best.at(-1).answer) best.push(point);
  return { x: best.map(({ cost }) => perThousand(cost)), y: best.map(({ answer }) => answer) };
}
