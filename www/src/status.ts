// The line that says how this device stands with the hub, the switch, and the button that dials at once.

import type { HubView, HubWatch } from "./hub-watch.js";
import { memory } from "./device.js";
import { count, find, part, say } from "./page.js";
import { showLasting, showProblem } from "./problem.js";

/** Shows how things stand. */
export function showHub(view: HubView): void {
  const line = part("status");
  const [text, detail] = words(view);
  line.dataset["state"] = view.state;
  part("offline").setAttribute("aria-checked", String(view.state === "offline"));
  say(find(".status-text", line), text);
  say(find(".status-detail", line), detail);
  find<SVGUseElement>("use", line).setAttribute("href", `#i-${view.state}`);
  const failures = view.peer?.failures ?? 0;
  find("#try-now").hidden = view.state === "offline" || view.peer?.status !== "waiting" || failures === 0;
  showLasting(view.trouble);
}

function words({ state, waiting, peer, trouble }: HubView): [string, string] {
  const notes = count(waiting, "note", "notes");
  const failures = peer?.failures ?? 0;
  const again = failures > 0 ? `No answer yet, tried ${failures === 1 ? "once" : count(failures, "time", "times")}.` : "Connecting.";
  switch (state) {
    case "offline":
      if (waiting === 0) return ["Offline: notes stay on this device", "New ones follow once it is back."];
      return [
        `Offline: ${notes} ${waiting === 1 ? "stays" : "stay"} here`,
        `${waiting === 1 ? "It follows" : "They follow"} once this device is back.`,
      ];
    case "synced":
      return ["In sync with the hub", "The hub has computed the same root."];
    case "syncing":
      return ["Syncing with the hub", "The roots still differ."];
    case "waiting":
      if (trouble?.fault === "store") return ["Not in sync with the hub", "This device can't keep what comes."];
      if (trouble !== null) return ["The hub turns this device away", "Notes stay on this device."];
      return [`${notes} ${waiting === 1 ? "waits" : "wait"} for the hub`, again];
    case "connecting":
      return ["Looking for the hub", again];
  }
}

/** Lets the switch take the device offline; a reload leaves it as it is. */
export async function obeySwitch(watch: HubWatch): Promise<void> {
  const control = part<HTMLButtonElement>("offline");
  const set = async (offline: boolean) => {
    control.setAttribute("aria-checked", String(offline));
    memory.set("offline", String(offline));
    await watch.goOffline(offline);
  };
  control.addEventListener("click", () => {
    set(control.getAttribute("aria-checked") !== "true").catch(showProblem);
  });
  find("#try-now").addEventListener("click", () => void watch.tryNow());
  control.disabled = false;
  await set(memory.get("offline") === "true");
}
