// Draws what Python laid out, in the colours of the page.
const EVERYWHERE = "all categories";
const TOUCH = matchMedia("(pointer: coarse)").matches;
const BUTTONS = [["toImage", "zoom2d", "pan2d", "resetScale2d"]];
const CONFIG = { displaylogo: false, displayModeBar: TOUCH ? false : "hover", modeBarButtons: BUTTONS };

function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

function themed(chart, layout) {
  const [ink, quiet, line, card] = ["--ink", "--quiet", "--line", "--card"].map(colour);
  const lines = { gridcolor: line, zerolinecolor: line, linecolor: line, tickfont: { color: quiet }, automargin: true };
  const narrow = chart.clientWidth < 520;
  const title = (text) => ({ text, font: { size: narrow ? 11 : 12, color: quiet } });
  const axisOf = (axis) => ({ ...lines, fixedrange: TOUCH, ...axis, title: title(axis.title?.text ?? "") });
  return {
    ...layout,
    paper_bgcolor: "rgba(0,0,0,0)",
    plot_bgcolor: "rgba(0,0,0,0)",
    font: { family: "system-ui, sans-serif", size: narrow ? 11 : 13, color: ink },
    margin: { l: 20, r: 12, t: layout.annotations?.length ? 44 : 12, b: 20 },
    legend: { orientation: "h", yref: "container", yanchor: "bottom", y: 0, x: 0, maxheight: 2000, font: { color: ink, size: narrow ? 10 : 12 } },
    hoverlabel: { bgcolor: card, bordercolor: line, font: { color: ink } },
    modebar: { bgcolor: "rgba(0,0,0,0)", color: quiet, activecolor: ink },
    dragmode: TOUCH ? false : "zoom",
    xaxis: axisOf(layout.xaxis),
    yaxis: axisOf(layout.yaxis),
    shapes: (layout.shapes ?? []).map((shape) => ({ ...shape, line: { color: quiet, ...shape.line } })),
    annotations: (layout.annotations ?? []).map((words) => ({ ...words, font: { size: 11, color: quiet } })),
  };
}

// A picture grows by what its legend takes, so that many names leave room for what is drawn.
function legendRoom(chart, pixels) {
  chart.style.setProperty("--legend", `${Math.max(0, Math.ceil(pixels) - 45)}px`);
}

// Plotly fails where a legend leaves no room: so there is a line for each name until it is known how many lines it takes.
function makeRoom(chart, spec) {
  const shown = spec.data.filter((trace) => trace.name && trace.visible !== false && trace.showlegend !== false);
  const asked = `${new Set(shown.map(({ name }) => name)).size} in ${chart.clientWidth}`;
  if (chart.asked === asked) return;
  chart.asked = asked;
  legendRoom(chart, 22 * shown.length);
}

function takeRoomBack(chart) {
  const { showlegend, legend } = chart._fullLayout;
  const height = chart.clientHeight;
  legendRoom(chart, showlegend ? legend._height : 0);
  if (chart.clientHeight !== height) Plotly.Plots.resize(chart);
}

function draw(chart, spec) {
  chart.spec = spec;
  makeRoom(chart, spec);
  const bare = chart.clientWidth < 520 ? { "markers+text": "markers" } : {};
  const data = spec.data.map((trace) => ({ ...trace, mode: bare[trace.mode] ?? trace.mode }));
  return Plotly.react(chart, data, themed(chart, spec.layout), CONFIG).then(() => takeRoomBack(chart));
}

let width = innerWidth;
function redrawAtNewWidth() {
  if (innerWidth === width) return;
  width = innerWidth;
  recolour();
}

function recolour() {
  for (const chart of document.querySelectorAll(".chart")) if (chart.spec) draw(chart, chart.spec);
}

// Puts series back into the traces that share them.
function unpool({ charts, series }) {
  for (const { data } of Object.values(charts))
    for (const trace of data)
      for (const [key, value] of Object.entries(trace)) if (value?.$ !== undefined) trace[key] = series[value.$];
}

// Shows the traces of one group, and what happened in its category: of all categories, everything.
function showGroup(chart, ...chosen) {
  const { data, layout } = chart.spec;
  for (const trace of data) trace.visible = chosen.every((name, place) => trace.meta[place] === name);
  const category = chosen[1];
  for (const change of [...(layout.shapes ?? []), ...(layout.annotations ?? [])])
    change.visible = !change.name || category === EVERYWHERE || change.name === category;
  draw(chart, chart.spec);
}

function setTheme(theme) {
  document.documentElement.dataset.theme = theme;
  recolour();
}

function toggleTheme() {
  setTheme(colour("color-scheme") === "dark" ? "light" : "dark");
}
