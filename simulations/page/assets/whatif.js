// The arithmetic of whatif.py, in its order, so that both come to the same bits. Unknown is null.
const UNSPLIT = "";

function touchesModels(wishes) {
  return wishes.dropped.size > 0 || [...wishes.priceFactors.values()].some((factor) => factor !== 1);
}

function costOf(means, wishes) {
  let total = 0;
  for (const [model, cost] of Object.entries(means.costs_usd)) {
    if (cost === null || wishes.dropped.has(model) || (model === UNSPLIT && touchesModels(wishes))) return null;
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
