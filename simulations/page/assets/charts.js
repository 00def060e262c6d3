// Draws what Python laid out, in the colours of the page.
const TOUCH = matchMedia("(pointer: coarse)").matches;
const BUTTONS = [["toImage", "zoom2d", "pan2d", "resetScale2d"]];
const CONFIG = { responsive: true, displaylogo: false, displayModeBar: TOUCH ? false : "hover", modeBarButtons: BUTTONS };

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
    legend: { orientation: "h", yref: "container", yanchor: "bottom", y: 0, x: 0, font: { color: ink } },
    hoverlabel: { bgcolor: card, bordercolor: line, font: { color: ink } },
    modebar: { bgcolor: "rgba(0,0,0,0)", color: quiet, activecolor: ink },
    dragmode: TOUCH ? false : "zoom",
    xaxis: axisOf(layout.xaxis),
    yaxis: axisOf(layout.yaxis),
    shapes: (layout.shapes ?? []).map((shape) => ({ ...shape, line: { color: quiet, ...shape.line } })),
    annotations: (layout.annotations ?? []).map((words) => ({ ...words, font: { size: 11, color: quiet } })),
  };
}

function draw(chart, spec) {
  chart.spec = spec;
  const bare = chart.clientWidth < 520 ? { "markers+text": "markers" } : {};
  const data = spec.data.map((trace) => ({ ...trace, mode: bare[trace.mode] ?? trace.mode }));
  return Plotly.react(chart, data, themed(chart, spec.layout), CONFIG);
}

function recolour() {
  for (const chart of document.querySelectorAll(".chart")) if (chart.spec) draw(chart, chart.spec);
}

function showCategory(chart, category) {
  const { data, layout } = chart.spec;
  for (const trace of data) trace.visible = trace.meta === category;
  for (const change of [...layout.shapes, ...layout.annotations])
    change.visible = !change.name || change.name === category;
  draw(chart, chart.spec);
}

function setTheme(theme) {
  document.documentElement.dataset.theme = theme;
  recolour();
}

function toggleTheme() {
  setTheme(colour("color-scheme") === "dark" ? "light" : "dark");
}
