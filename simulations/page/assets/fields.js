// Fields and sliders: the volume, the limit on latency, and the wishes of "What if?".
function number(field) {
  const value = field.value.trim() === "" ? NaN : Number(field.value);
  return Number.isFinite(value) && value >= 0 ? value : null;
}

function showVolume(article) {
  const volume = number(article.querySelector(".volume"));
  for (const pace of article.querySelectorAll(".pace")) pace.textContent = "your volume";
  for (const amount of article.querySelectorAll(".monthly")) {
    const known = volume === null || amount.dataset.usdPerRequest === undefined;
    amount.textContent = usd(known ? null : Number(amount.dataset.usdPerRequest) * volume, true);
  }
}

function within(edges, counts, limit) {
  const total = counts.reduce((sum, count) => sum + (count ?? 0), 0);
  if (limit === null || total <= 0) return null;
  let reached = 0;
  for (let place = 0; place < counts.length; place++) {
    const [low, high, count] = [edges[place], edges[place + 1], counts[place] ?? 0];
    if (high === null ? limit > low && count > 0 : false) return null;
    if (high !== null && limit >= high) reached += count;
    else if (limit > low) reached += count * (low > 0 ? Math.log(limit / low) / Math.log(high / low) : (limit - low) / (high - low));
  }
  return reached / total;
}

function showLimit(article, latency) {
  const limit = number(article.querySelector(".slo"));
  for (const cell of article.querySelectorAll(".within")) {
    const share = within(latency.edges_s, latency.counts[cell.dataset.name], limit);
    cell.textContent = share === null ? "\u2013" : percent(share);
  }
  const chart = article.querySelector(".chart.latency");
  if (!chart?.spec) return;
  const line = { type: "line", x0: limit, x1: limit, yref: "paper", y0: 0, y1: 1, line: { dash: "dash", width: 2 } };
  chart.spec.layout.shapes = limit ? [line] : [];
  draw(chart, chart.spec);
}

function wishesOf(form) {
  const models = [...form.querySelectorAll(".model")];
  const of = (row, name) => row.querySelector(name);
  return {
    answerValue: number(form.querySelector(".answer-value")),
    secondValue: number(form.querySelector(".second-value")),
    priceFactors: new Map(models.map((row) => [of(row, ".price").dataset.model, Number(of(row, ".price").value)])),
    dropped: new Set(models.filter((row) => !of(row, ".offered").checked).map((row) => of(row, ".offered").dataset.model)),
  };
}

function showWishes(article, data) {
  const form = article.querySelector(".wishes");
  const wishes = wishesOf(form);
  const wrong = [".answer-value", ".second-value"].map((name) => form.querySelector(name)).filter((f) => number(f) === null);
  form.querySelector(".complaint").textContent = wrong.length
    ? `${wrong.map(({ value }) => value || "Nothing").join(" and ")} is no value: give dollars, 0 or more. Nothing was computed.`
    : "";
  article.querySelector(".answers").classList.toggle("stale", wrong.length > 0);
  if (wrong.length) return;
  for (const row of form.querySelectorAll(".model"))
    row.querySelector(".factor").textContent = `\u00d7 ${Number(row.querySelector(".price").value)}`;
  const { policies, asked, incomparable } = data.statistics;
  const best = bestModels(data.statistics, wishes);
  const rows = [...article.querySelectorAll(".answers .value")];
  const values = rows.map(({ dataset }) => {
    const means = Object.hasOwn(policies, dataset.name) ? policies[dataset.name] : null;
    if (means && moves(means, wishes, asked)) return null;
    return means ? valueOf(means, wishes) : bestValue(data.statistics, best);
  });
  // What is the best by its making is compared with nobody.
  const isCompared = ({ dataset: { name } }) => Object.hasOwn(policies, name) && !incomparable.includes(name);
  const compared = values.filter((value, place) => value !== null && isCompared(rows[place]));
  const most = Math.max(...compared);
  rows.forEach((row, place) => {
    const { [row.dataset.name]: means } = policies;
    const chooses = means && moves(means, wishes, asked);
    row.textContent = chooses ? "unknown: it would have chosen otherwise" : usdPerThousand(values[place]);
    row.dataset.value = values[place] === null ? "" : String(values[place]);
    row.closest("tr").classList.toggle("best", values[place] === most && isCompared(row));
  });
  showOtherwise(article.querySelector(".otherwise"), replayOptions(wishes, asked, data.prices));
  for (const cell of article.querySelectorAll(".choice"))
    cell.textContent = best.get(cell.dataset.category)?.model ?? UNKNOWN;
  const chart = article.querySelector(".chart.front");
  if (chart) draw(chart, frontAt(data.charts.front, data.points, wishes, asked));
}

// Says how to ask a replay what is wished for, where policies would have chosen otherwise.
function showOtherwise(said, options) {
  if (!said) return;
  said.hidden = options === "";
  said.querySelector("code").textContent = `routeward replay LOG ${options}`;
}

function slide(slider, field) {
  field.value = String(Number((Number(slider.dataset.about) * 10 ** Number(slider.value)).toPrecision(3)));
}
