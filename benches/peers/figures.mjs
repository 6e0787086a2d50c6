// The steps that JavaScript measures: of what, and how it is printed. The same figures as src/bin/time.rs.

export const MILLION = 1_000_000;
export const PROOFS = 10_000;

/** Batches of how many ids, and how many of those. */
export const INSERTS = [[1, 10_000], [1_000, 100]];

export function figure(name, value, cpu) {
  console.log(JSON.stringify({ figure: name, value, cpu }));
}

/** Takes the time of a step, in milliseconds times `scale`: the clock's, and the processor's in all threads. */
export function timed(name, scale, step) {
  const [begun, used] = [performance.now(), process.cpuUsage()];
  const result = step();
  const [took, { user, system }] = [performance.now() - begun, process.cpuUsage(used)];
  figure(name, took * scale, ((user + system) / 1_000) * scale);
  return result;
}

/** Ends the measurement where a proof does not hold. */
export function allHold(held, of) {
  if (held !== of) throw new Error(`${held} of ${of} proofs hold`);
}
