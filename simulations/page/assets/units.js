"use strict";
// Numbers as people read them, as units.py writes them.
const UNKNOWN = "unknown";

function usd(value, signed = false) {
  if (value === null) return UNKNOWN;
  const size = Math.abs(value);
  const sign = value < 0 ? "\u2212" : signed && value > 0 ? "+" : "";
  if (size === 0) return "$0";
  const digits = 2 - Math.floor(Math.log10(size));
  const shown = Math.min(Math.max(digits, size >= 100 ? 0 : 2), 12);
  return `${sign}$${size.toLocaleString("en-US", { minimumFractionDigits: shown, maximumFractionDigits: shown })}`;
}

function usdPerThousand(value) {
  return usd(value === null ? null : 1000 * value);
}

function percent(value) {
  if (value === null) return UNKNOWN;
  return `${(value * 100).toFixed(Math.abs(value) > 0 && Math.abs(value) < 0.0995 ? 1 : 0)}%`;
}
