// A TCP proxy that can be cut: the network between a page and a hub. A browser that is set offline leaves an
// open WebSocket open, so the wire itself must go.

import { connect, createServer } from "node:net";

/** Passes everything on to the port `target` of this machine, until it is cut. */
export class Proxy {
  target;
  #server;
  #sockets = new Set();
  #cut = false;

  static async open() {
    const proxy = new Proxy();
    proxy.#server = createServer((near) => proxy.#join(near));
    await new Promise((resolve) => proxy.#server.listen(0, "127.0.0.1", resolve));
    proxy.port = proxy.#server.address().port;
    return proxy;
  }

  #join(near) {
    if (this.#cut) return near.destroy();
    const far = connect(this.target, "127.0.0.1");
    for (const [socket, other] of [[near, far], [far, near]]) {
      socket.setNoDelay(true);
      this.#sockets.add(socket);
      socket.on("error", () => {});
      socket.on("close", () => {
        this.#sockets.delete(socket);
        other.destroy();
      });
      socket.pipe(other);
    }
  }

  /** Ends all that is open, and refuses what is new. */
  cut() {
    this.#cut = true;
    for (const socket of this.#sockets) socket.destroy();
  }

  mend() {
    this.#cut = false;
  }

  close() {
    this.cut();
    return new Promise((resolve) => this.#server.close(resolve));
  }
}
