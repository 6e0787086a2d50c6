// A picture of a root: a pure function of its bytes, the same on every device and in every colour scheme.

const SVG = "http://www.w3.org/2000/svg";
/** Cells along a side of the quarter that is mirrored into the others. */
const QUARTER = 3;

/** How much larger than its cell a shape is, so that no seam shows between mirrored halves. */
const OVERLAP = 1.015;
/** Shapes that fill a cell of size 1, drawn about its centre so that they can be turned. */
const GROUND = "M-.5-.5H.5V.5H-.5z";
const SHAPES = [
  "M-.5-.5H.5A1 1 0 0 1-.5.5z",
  "M-.5-.5A1 1 0 0 1 .5.5A1 1 0 0 1-.5-.5z",
  "M-.5-.5H.5L-.5.5z",
  "M-.5 0A.5.5 0 0 1 .5 0A.5.5 0 0 1-.5 0z",
  "M-.5-.5H.5A.5.5 0 0 1-.5-.5z",
  "M-.5-.5H0V.5H-.5z",
  "M-.25 0A.25.25 0 0 1 .25 0A.25.25 0 0 1-.25 0z",
  "M-.5-.5H0A.5.5 0 0 1-.5 0z",
];

/** The hue that stands for a root, in degrees. */
export function hueOf(root: string): number {
  return Math.round((Number.parseInt(root.slice(0, 4), 16) / 65_536) * 360);
}

/** The hue that stands for a device, in degrees. */
export const hueOfDevice = hueOf;

/** Draws a root. */
export function draw(root: string): SVGSVGElement {
  const bytes = Array.from({ length: root.length / 2 }, (_, i) => Number.parseInt(root.slice(2 * i, 2 * i + 2), 16));
  const at = (index: number) => bytes[index] ?? 0;
  const hue = hueOf(root);
  const other = hue + 120 + (at(31) / 255) * 120;
  const colours = [
    `oklch(0.34 0.09 ${hue})`,
    `oklch(0.58 0.15 ${hue})`,
    `oklch(0.8 0.11 ${hue + 15})`,
    `oklch(0.94 0.04 ${hue + 30})`,
    `oklch(0.74 0.15 ${other})`,
  ];
  const svg = document.createElementNS(SVG, "svg");
  const side = 2 * QUARTER;
  svg.setAttribute("aria-hidden", "true");
  svg.setAttribute("viewBox", `0 0 ${side} ${side}`);
  const grounds: SVGPathElement[] = [];
  const shapes: SVGPathElement[] = [];
  for (let row = 0; row < QUARTER; row++) {
    for (let column = 0; column < QUARTER; column++) {
      const cell = row * QUARTER + column;
      const [form, paint] = [at(2 + cell), at(11 + cell)];
      const below = paint % 4;
      // Never the colour of the ground: the accent is one of the others.
      const above = (below + 1 + ((paint >> 2) % 4)) % 5;
      const turn = ((form >> 3) % 4) * 90;
      for (const [x, y, flip] of mirrored(column, row, side)) {
        grounds.push(path(GROUND, x, y, flip, 0, colours[below]));
        shapes.push(path(SHAPES[form % 8], x, y, flip, turn, colours[above]));
      }
    }
  }
  svg.append(...grounds, ...shapes);
  return svg;
}

/** The four places of a cell, and how it is mirrored there. */
function mirrored(column: number, row: number, side: number): [number, number, string][] {
  const [x, y] = [column + 0.5, row + 0.5];
  return [
    [x, y, "1 1"],
    [side - x, y, "-1 1"],
    [x, side - y, "1 -1"],
    [side - x, side - y, "-1 -1"],
  ];
}

function path(d: string | undefined, x: number, y: number, flip: string, turn: number, fill: string | undefined) {
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("d", d ?? "");
  path.setAttribute("fill", fill ?? "none");
  path.setAttribute("transform", `translate(${x} ${y}) scale(${flip}) rotate(${turn}) scale(${OVERLAP})`);
  return path;
}

/** The same as the address of an image. */
export function drawAsAddress(root: string): string {
  const svg = draw(root);
  svg.setAttribute("xmlns", SVG);
  return `data:image/svg+xml,${encodeURIComponent(svg.outerHTML)}`;
}
