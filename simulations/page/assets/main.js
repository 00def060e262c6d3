// Starts every result of the page.
function start(article) {
  const data = JSON.parse(article.querySelector("script.data").textContent);
  const on = (selector, event, act) => article.querySelector(selector)?.addEventListener(event, act);
  unpool(data);
  for (const chart of article.querySelectorAll(".chart")) draw(chart, data.charts[chart.dataset.chart]);
  const chosen = (...names) => names.map((name) => article.querySelector(name).value);
  const showAllocation = () => showGroup(article.querySelector(".chart.allocation"), ...chosen(".whose", ".category"));
  on(".whose", "change", showAllocation);
  on(".category", "change", showAllocation);
  on(".kind", "change", () => showGroup(article.querySelector(".chart.latency"), ...chosen(".kind")));
  on(".volume", "input", () => showVolume(article));
  on(".slo", "input", () => data.latency && showLimit(article, data.latency));
  startFront(article, data);
  startWishes(article, data);
}

function startFront(article, data) {
  const chart = article.querySelector(".chart.front");
  if (!chart) return;
  const chosen = (place) => choose(article, data.points, place);
  chart.on("plotly_click", ({ points: [point] }) => point.data.customdata && chosen(point.data.customdata[0]));
  for (const button of article.querySelectorAll(".deploy"))
    button.addEventListener("click", () => chosen(Number(button.dataset.point)));
}

function startWishes(article, data) {
  const form = article.querySelector(".wishes");
  if (!form) return;
  for (const part of ["answer", "second"]) {
    const slider = form.querySelector(`.${part}-slider`);
    slider.addEventListener("input", () => slide(slider, form.querySelector(`.${part}-value`)));
  }
  form.addEventListener("input", () => showWishes(article, data));
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("reset", () => setTimeout(() => showWishes(article, data)));
  showWishes(article, data);
}

for (const button of document.querySelectorAll(".download"))
  button.addEventListener("click", () => download(button.dataset.kind));
document.querySelector(".theme").addEventListener("click", toggleTheme);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", recolour);
let waiting;
addEventListener("resize", () => {
  clearTimeout(waiting);
  waiting = setTimeout(redrawAtNewWidth, 150);
});
let onScreen;
addEventListener("beforeprint", () => {
  onScreen = document.documentElement.dataset.theme ?? "";
  setTheme("light");
});
addEventListener("afterprint", () => setTheme(onScreen));
for (const article of document.querySelectorAll(".result")) start(article);
