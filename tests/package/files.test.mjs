// Files of journals: what goes out as a stream comes in from whatever has bytes, checked.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { all, code, isoroot, made, next, SyncNode } from "./isoroot.mjs";

const GOLDEN = readFileSync(new URL("../golden/journal.isoroot", import.meta.url));

const fact = (i) => ({ predicate: `note/${i}`, value: i });
const bytesOf = async (stream) => new Uint8Array(await new Response(stream).arrayBuffer());

/** A stream of these pieces that counts how many were asked for. */
function counted(pieces) {
  const given = { asked: 0, cancelled: false };
  const stream = new ReadableStream(
    {
      pull(controller) {
        const piece = pieces[given.asked++];
        if (piece instanceof Error) controller.error(piece);
        else if (piece) controller.enqueue(piece);
        else controller.close();
      },
      cancel() {
        given.cancelled = true;
      },
    },
    { highWaterMark: 0 },
  );
  return { stream, given };
}

function cut(bytes, size) {
  const pieces = [];
  for (let at = 0; at < bytes.length; at += size) pieces.push(bytes.subarray(at, at + size));
  return pieces;
}

async function* each(pieces) {
  yield* pieces;
}

/** A journal of so many entries, and its file. */
async function written(entries, name = "files") {
  const node = await made({ name });
  await node.appendAll(Array.from({ length: entries }, (_, i) => [fact(i)]));
  return { node, file: await bytesOf(node.export()) };
}

test("c12_a_file_is_imported_from_every_kind_of_source", async () => {
  const { node, file } = await written(700);
  const root = await node.root();
  const sources = {
    bytes: () => file,
    buffer: () => Buffer.from(file),
    blob: () => new Blob([file]),
    stream: () => counted(cut(file, 10_000)).stream,
    exported: () => node.export(),
    iterable: () => each(cut(file, 777)),
    one_piece: () => each([file]),
    with_empty_pieces: () => each([file.subarray(0, 5), new Uint8Array(), file.subarray(5)]),
  };
  for (const [kind, source] of Object.entries(sources)) {
    const other = await made({ name: "files" });
    const grew = next(other, "grew");
    const report = await other.import(source());
    assert.deepEqual(report, { entries: 700, imported: 700, fileRoot: root, root, rootEntries: 700 }, kind);
    await grew;
    assert.deepEqual((await all(other.facts())).map(({ value }) => value), Array.from({ length: 700 }, (_, i) => i));
    await other.append(fact(-1));
    const again = await other.import(source());
    assert.deepEqual([again.imported, again.rootEntries, again.fileRoot], [0, 701, root], kind);
    await other.close();
  }
});

test("c12_the_golden_file_is_imported_and_says_which_journal_it_is", async () => {
  const { journal, genesis } = await isoroot.fileHeader(new Blob([GOLDEN]));
  assert.deepEqual(await isoroot.fileHeader(GOLDEN), { journal, genesis });
  const node = await made({ genesis });
  assert.equal(node.journal, journal);
  const report = await node.import(GOLDEN);
  assert.deepEqual([report.entries, report.imported, report.fileRoot], [13, 13, report.root]);
  assert.deepEqual(Buffer.from(await bytesOf(node.export())), GOLDEN, "it goes out as it came");
  // One that was joined by its id gets the genesis with the file.
  const joined = await SyncNode.open({ journal });
  assert.equal((await isoroot.fileHeader(await bytesOf(joined.export()))).genesis, null);
  await joined.import(GOLDEN);
  assert.deepEqual(Buffer.from(await bytesOf(joined.export())), GOLDEN);
  await joined.close();

  await assert.rejects(isoroot.fileHeader(new Uint8Array(20)), code("NOT_A_JOURNAL_FILE"));
  await assert.rejects(isoroot.fileHeader(GOLDEN.subarray(0, 50)), code("FILE_INCOMPLETE"));
  await assert.rejects(isoroot.fileHeader("notes.isoroot"), code("INVALID_FILE"));
});

test("c12_a_file_that_is_wrong_is_refused_whole_a_stream_up_to_there", async () => {
  const { file } = await written(600);
  const wrong = file.slice();
  wrong[file.length - 200] ^= 1;
  const cases = [
    [wrong, "FILE_ENTRY", 599],
    [file.subarray(0, file.length - 1), "FILE_INCOMPLETE", 600],
    [new Uint8Array([...file, 0]), "FILE_DAMAGED", 600],
    [new TextEncoder().encode("{}"), "NOT_A_JOURNAL_FILE", 0],
    [new Uint8Array(), "FILE_INCOMPLETE", 0],
  ];
  for (const [bytes, expected, entries] of cases) {
    const node = await made({ name: "files" });
    for (const whole of [bytes, new Blob([bytes])]) await assert.rejects(node.import(whole), code(expected));
    assert.equal((await node.status()).entries, 0, expected);
    const failed = await node.import(each(cut(bytes, 5_000))).catch((error) => error);
    assert.ok(code(expected)(failed));
    assert.deepEqual(failed.done, { entries, imported: entries }, expected);
    assert.equal((await node.status()).entries, entries, expected);
    assert.equal(failed.fault, "caller");
    await node.close();
  }
  const other = await made({ name: "another" });
  for (const source of [file, each([file])]) await assert.rejects(other.import(source), code("OTHER_JOURNAL"));
  assert.equal((await other.status()).entries, 0);
});

test("c12_what_is_no_source_is_an_error", async () => {
  const node = await made({ name: "files" });
  for (const source of [undefined, null, "text", 5, {}, [1], new ArrayBuffer(4), new Uint16Array(2)]) {
    await assert.rejects(node.import(source), code("INVALID_FILE"));
  }
  await assert.rejects(node.import(each(["text"])), code("INVALID_FILE"));
  const { stream, given } = counted(["text"]);
  await assert.rejects(node.import(stream), code("INVALID_FILE"));
  assert.ok(given.cancelled, "nobody wants more of it");
});

test("c12_pieces_are_asked_for_one_at_a_time_both_ways", async () => {
  const { node, file } = await written(50);
  // In: a piece is asked for when the one before has been taken.
  const pieces = cut(file, 100);
  const { stream, given } = counted([...pieces.slice(0, 20), new Error("unplugged")]);
  const other = await made({ name: "files" });
  await assert.rejects(other.import(stream), { message: "unplugged" });
  assert.equal(given.asked, 21);
  // What came whole is there, though it fills no batch.
  const whole = (await other.status()).entries;
  assert.ok(whole > 0 && whole < 50, `${whole} entries`);
  // Out: nothing is read before it is asked for, and appends in between are not in it.
  const out = node.export();
  await node.append(fact(100));
  const reader = out.getReader();
  const first = await reader.read();
  assert.equal(first.done, false);
  await node.append(fact(101));
  let rest = 0;
  while (true) {
    const { done, value } = await reader.read();
    if (done) break;
    rest += value.length;
  }
  const header = await isoroot.fileHeader(first.value);
  assert.equal(header.journal, node.journal);
  const report = await other.import(node.export());
  assert.equal(report.entries, 52);
  assert.ok(first.value.length + rest > file.length);
});

test("c12_abort_and_close_end_imports_and_exports", async () => {
  const { file } = await written(600);
  const node = await made({ name: "files" });
  const reason = new Error("enough");
  const aborting = new AbortController();
  let cancelled = false;
  const endless = new ReadableStream({
    start: (controller) => controller.enqueue(file.subarray(0, 110_000)),
    cancel: () => {
      cancelled = true;
    },
  });
  const importing = node.import(endless, { signal: aborting.signal });
  setTimeout(() => aborting.abort(reason));
  const error = await importing.catch((error) => error);
  assert.ok(code("ABORTED")(error));
  assert.equal(error.cause, reason);
  assert.ok(cancelled);
  await assert.rejects(node.import(file, { signal: AbortSignal.abort() }), code("ABORTED"));
  assert.throws(() => node.export({ signal: AbortSignal.abort() }), code("ABORTED"));

  // What is half done does not keep the node alive, nor hang.
  const half = node.export().getReader();
  await half.read();
  let take;
  const hanging = node.import(
    (async function* () {
      yield file.subarray(0, 50_000);
      await new Promise((resolve) => (take = resolve));
      yield file.subarray(50_000);
    })(),
  );
  while (!take) await new Promise((resolve) => setTimeout(resolve));
  await node.close();
  await assert.rejects(half.read(), code("CLOSED"));
  take();
  await assert.rejects(hanging, code("CLOSED"));
  await assert.rejects(node.import(file), code("CLOSED"));
  await assert.rejects(node.export().getReader().read(), code("CLOSED"));
});
