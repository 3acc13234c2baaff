/** Notifications of new alerts: a sound and a desktop notification. */

import type { Queue } from "../../contracts";
import type { ShownAlert } from "../../model/alerts";
import { nameOf } from "../../model/filters";
import { preferences } from "../../preferences";
import { texts } from "../../texts";

let audio: AudioContext | null = null;

/** Plays two short tones without loading a file. Browsers are silent until the first click on the page. */
export function playTone(): void {
  audio ??= new AudioContext();
  void audio.resume();
  const begin = audio.currentTime;
  for (const [after, pitch] of [
    [0, 784],
    [0.16, 988],
  ] as const) {
    const tone = new OscillatorNode(audio, { frequency: pitch });
    const volume = new GainNode(audio, { gain: 0 });
    volume.gain.setValueAtTime(0.2, begin + after);
    volume.gain.exponentialRampToValueAtTime(0.001, begin + after + 0.15);
    tone.connect(volume).connect(audio.destination);
    tone.start(begin + after);
    tone.stop(begin + after + 0.16);
  }
}

export function canNotify(): boolean {
  return "Notification" in window;
}

/** Must be called from a click. Returns whether notifications are allowed. */
export async function askToNotify(): Promise<boolean> {
  return canNotify() && (await Notification.requestPermission()) === "granted";
}

export function notify(alerts: readonly ShownAlert[], queues: ReadonlyMap<string, Queue>): void {
  if (preferences.sound.peek()) playTone();
  if (!preferences.notifications.peek() || !canNotify() || Notification.permission !== "granted") return;
  const lines = alerts.map(({ kind, queueId }) => texts.alerts.line(kind, nameOf(queues, queueId)));
  try {
    // With one tag, a later notification replaces the one before.
    const notification = new Notification(texts.alerts.notice(alerts.length), {
      body: lines.slice(0, 4).join("\n"),
      tag: "switchboard-alerts",
    });
    notification.onclick = () => {
      window.focus();
      location.hash = "#/alerts";
    };
  } catch {
    preferences.notifications.value = false; // Phones grant the permission but refuse the constructor.
  }
}
