// A WebSocket server for tests: what a peer at the other end of a browser's socket may do.
//
//   node relay.mjs PORT
//
//   /pair/NAME  joins the two clients that name it: what one sends, the other gets
//   /text       sends a text message
//   /long       sends a frame one byte over the limit
//   /flood      sends frames for as long as they are taken
//   /cut        ends the TCP connection behind one frame, without a goodbye
//   /deny       answers with status 403
//   /silent     never answers
import { createHash } from "node:crypto";
import { createServer } from "node:http";

const FRAME_BYTES = 65_536;
const [BINARY, TEXT, CLOSE] = [0x82, 0x81, 0x88];

/** An unmasked frame, whole. */
const frame = (head, payload) => {
  const length = Buffer.alloc(payload.length < 126 ? 1 : payload.length < 65_536 ? 3 : 9);
  if (length.length === 1) length[0] = payload.length;
  if (length.length === 3) (length[0] = 126), length.writeUInt16BE(payload.length, 1);
  if (length.length === 9) (length[0] = 127), length.writeBigUInt64BE(BigInt(payload.length), 1);
  return Buffer.concat([Buffer.of(head), length, payload]);
};

/** Takes apart what a client sends: `[first byte, payload]` for each frame, unmasked. */
class Frames {
  #rest = Buffer.alloc(0);

  *read(chunk) {
    this.#rest = Buffer.concat([this.#rest, chunk]);
    for (;;) {
      const short = this.#rest[1] & 0x7f;
      const head = short === 126 ? 8 : short === 127 ? 14 : 6;
      if (this.#rest.length < head) return;
      const length =
        short === 126 ? this.#rest.readUInt16BE(2) : short === 127 ? Number(this.#rest.readBigUInt64BE(2)) : short;
      if (this.#rest.length < head + length) return;
      const mask = this.#rest.subarray(head - 4, head);
      const payload = Buffer.from(this.#rest.subarray(head, head + length)).map((byte, at) => byte ^ mask[at & 3]);
      yield [this.#rest[0], payload];
      this.#rest = this.#rest.subarray(head + length);
    }
  }
}

const waiting = new Map();

/** Passes on what comes from one to the other, no faster than it is taken. */
const pass = (from, to) => {
  const frames = new Frames();
  from.on("data", (chunk) => {
    for (const [head, payload] of frames.read(chunk)) {
      if (!to.writable) return;
      if (!to.write(frame(head, payload))) {
        from.pause();
        to.once("drain", () => from.resume());
      }
      if (head === CLOSE) from.saidGoodbye = true;
    }
    if (from.saidGoodbye && to.saidGoodbye) {
      from.end();
      to.end();
    }
  });
  from.on("close", () => to.end());
  from.resume();
};

/** Answers a goodbye with a goodbye. */
const polite = (socket) => {
  const frames = new Frames();
  socket.on("data", (chunk) => {
    for (const [head, payload] of frames.read(chunk)) {
      if (head === CLOSE && socket.writable) socket.end(frame(CLOSE, payload));
    }
  });
};

const behaviours = {
  pair: (socket, name) => {
    socket.pause();
    const other = waiting.get(name);
    if (other === undefined) {
      waiting.set(name, socket);
      return;
    }
    waiting.delete(name);
    pass(socket, other);
    pass(other, socket);
  },
  text: (socket) => {
    polite(socket);
    socket.write(frame(TEXT, Buffer.from("hello")));
    socket.write(frame(BINARY, Buffer.from("more")));
  },
  long: (socket) => {
    polite(socket);
    socket.write(frame(BINARY, Buffer.from("first")));
    socket.write(frame(BINARY, Buffer.alloc(FRAME_BYTES + 1)));
    socket.write(frame(BINARY, Buffer.from("more")));
  },
  flood: (socket) => {
    polite(socket);
    const flood = () => {
      while (socket.writable && socket.write(frame(BINARY, Buffer.alloc(FRAME_BYTES))));
    };
    socket.on("drain", flood);
    flood();
  },
  cut: (socket) => {
    socket.write(frame(BINARY, Buffer.from("last")), () => socket.destroy());
  },
};

const server = createServer((_, response) => response.end("a relay for tests\n"));
server.on("upgrade", (request, socket) => {
  socket.on("error", () => socket.destroy());
  socket.setNoDelay(true);
  const [, kind, name] = request.url.split("/");
  if (kind === "silent") return;
  const behave = behaviours[kind];
  if (behave === undefined) {
    socket.end("HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n");
    return;
  }
  const accept = createHash("sha1")
    .update(request.headers["sec-websocket-key"] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11")
    .digest("base64");
  socket.write(
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
      `Sec-WebSocket-Accept: ${accept}\r\n\r\n`,
  );
  behave(socket, name);
});
server.listen(Number(process.argv[2]), "127.0.0.1", () => console.log("listening"));
