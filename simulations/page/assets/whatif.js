// The arithmetic of whatif.py, in its order, so that both come to the same bits. Unknown is null.
const UNSPLIT = "";

function changedModels(wishes) {
  const dearer = [...wishes.priceFactors].filter(([, factor]) => factor !== 1).map(([model]) => model);
  return new Set([...wishes.dropped, ...dearer]);
}

function touches(models, wishes) {
  const changed = changedModels(wishes);
  return models.length ? models.some((model) => changed.has(model)) : changed.size > 0;
}

function moves(means, wishes, asked) {
  const offer = touches([], wishes);
  if (means.moved_by === "anything")
    return offer || wishes.answerValue !== asked.answer_value_usd || wishes.secondValue !== asked.second_value_usd;
  return offer && means.moved_by === "offer";
}

function costOf(means, wishes) {
  if (means.models.some((model) => wishes.dropped.has(model))) return null;
  let total = 0;
  for (const [model, cost] of Object.entries(means.costs_usd)) {
    if (cost === null || (model === UNSPLIT && touches(means.models, wishes))) return null;
    total += (wishes.priceFactors.get(model) ?? 1) * cost;
  }
  return total;
}

function worth(dollars, amount) {
  if (dollars === 0) return 0;
  return amount === null ? null : dollars * amount;
}

function valueOf(means, wishes) {
  const cost = costOf(means, wishes);
  const answer = worth(wishes.answerValue, means.answer);
  const waiting = worth(wishes.secondValue, means.latency_s);
  return cost === null || answer === null || waiting === null ? null : answer - cost - waiting;
}

function bestModels(known, wishes) {
  const best = new Map();
  for (const category of Object.keys(known.shares)) {
    let [model, value] = [null, null];
    for (const [name, means] of Object.entries(known.cells[category] ?? {})) {
      const offered = valueOf(means, wishes);
      if (offered !== null && (value === null || offered > value)) [model, value] = [name, offered];
    }
    best.set(category, { model, value });
  }
  return best;
}

function bestValue(known, best) {
  let total = 0;
  for (const [category, { value }] of best) {
    if (value === null) return null;
    total += known.shares[category] * value;
  }
  return best.size ? total : null;
}

// The options by which `routeward replay` is asked what is wished for.
function replayOptions(wishes, asked, prices) {
  const quoted = (text) => (/^[\w.:/@=,-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`);
  const options = [];
  if (wishes.answerValue !== asked.answer_value_usd) options.push(`--answer-value-usd ${wishes.answerValue}`);
  if (wishes.secondValue !== asked.second_value_usd) options.push(`--second-value-usd ${wishes.secondValue}`);
  for (const [model, factor] of wishes.priceFactors)
    if (factor !== 1) {
      const price = prices[model]?.map((usd) => Number((factor * usd).toPrecision(6))) ?? ["IN", "OUT"];
      options.push(`--price ${quoted(`${model}=${price}`)}`);
    }
  for (const model of wishes.dropped) options.push(`--without ${quoted(model)}`);
  return options.join(" ");
}
