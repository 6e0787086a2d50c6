// Which journal the page shows, at which hub, and opening it.

import { SyncNode } from "isoroot";

/** The journal that all pages and tools share which name no other: everybody derives it from this text. */
const SHARED = "demo";

/** The hub that serves this page. */
export function ownHub(): string {
  return `${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/sync`;
}

/** The link after `#` in the page's address, if there is one. */
export function linkOfThisPage(): string | null {
  const link = location.hash.slice(1);
  return link === "" ? null : link;
}

/** Opens the journal in this store, without dialling anybody yet. */
export function openJournal(store: string): Promise<SyncNode> {
  const link = linkOfThisPage();
  // A page that came unencrypted from elsewhere gains nothing from refusing to sync in the same way.
  const allowPlain = location.protocol === "http:";
  if (link === null) return SyncNode.create({ name: SHARED, store, peers: [ownHub()], allowPlain });
  // The hub that a link names becomes a peer by itself.
  const peers = link.includes("?hub=") ? [] : [ownHub()];
  return SyncNode.open({ journal: link, store, peers, allowPlain });
}
