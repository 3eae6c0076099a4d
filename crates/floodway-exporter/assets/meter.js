// A meter: how much of something is taken, as a bar.

import { element, fill } from "./dom.js";
import { format } from "./format.js";

const PARTS = ["own", "idle", "free", "foreign", "reserved"];

/** Shows the number of `row` that `data-meter` of the node names, as a share of that in `data-of`. */
export function measure(node, row) {
  const { meter, of, parts, full } = node.dataset;
  const [value, max] = [row[meter], row[of]];
  const share = value === null || !(max > 0) ? 0 : Math.min(value / max, 1);
  node.setAttribute("aria-valuemin", 0);
  node.setAttribute("aria-valuemax", max ?? 0);
  node.setAttribute("aria-valuenow", Math.min(value ?? 0, max ?? 0));
  node.setAttribute("aria-valuetext", `${format(value, "mean")} of ${format(max, "mean")}`);
  if (parts) stack(node, row);
  else fill(node.firstElementChild, share);
  node.dataset.full = full === "fine" ? "fine" : share >= 1;
}

/** Own use grows from the left, what is left to others stands at the right; they meet when it is full. */
function stack(node, row) {
  if (!node.childElementCount) node.append(...PARTS.map((part) => element("i", `part part-${part}`)));
  const [own, idle, foreign, reserved, max] = [row.own, row.idle, row.foreign, row.reserved, row.max].map((size) => size ?? 0);
  const taken = own + foreign + reserved;
  const open = Math.max(0, Math.min(idle, max - taken));
  const sizes = { own, idle: open, free: Math.max(0, max - taken - open), foreign, reserved };
  PARTS.forEach((part, i) => {
    node.children[i].style.flexGrow = sizes[part];
  });
}
