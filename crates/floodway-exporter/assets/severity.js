// The order of severities.

const WORST_FIRST = ["critical", "warning", "info"];

/** Less is worse; what has no severity comes last. */
export function rank(severity) {
  const index = WORST_FIRST.indexOf(severity);
  return index < 0 ? WORST_FIRST.length : index;
}

export function worstFirst(findings) {
  return [...findings].sort((a, b) => rank(a.severity) - rank(b.severity));
}
