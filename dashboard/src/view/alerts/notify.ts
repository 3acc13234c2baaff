/** How an alarm reaches whoever does not look at the page: a sound, a notification of the desktop. */

import type { Queue } from "../../contracts";
import type { Alarm } from "../../model/alerts";
import { preferences } from "../../preferences";
import { texts } from "../../texts";

let audio: AudioContext | null = null;

/** Two short tones, made here, so that no file is loaded. Browsers play none before the first click on the page. */
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

/** Has to be called by a click. Answers whether notifications may be shown. */
export async function askToNotify(): Promise<boolean> {
  return canNotify() && (await Notification.requestPermission()) === "granted";
}

export function notify(alarms: readonly Alarm[], queues: ReadonlyMap<string, Queue>): void {
  if (preferences.sound.peek()) playTone();
  if (!preferences.notifications.peek() || !canNotify() || Notification.permission !== "granted") return;
  const lines = alarms.map(({ kind, queueId }) =>
    texts.alerts.line(kind, queues.get(queueId)?.name ?? queueId),
  );
  try {
    // One tag: a burst replaces itself on the screen rather than pile up.
    const notice = new Notification(texts.alerts.notice(alarms.length), {
      body: lines.slice(0, 4).join("\n"),
      tag: "switchboard-alerts",
    });
    notice.onclick = () => {
      window.focus();
      location.hash = "#/alerts";
    };
  } catch {
    preferences.notifications.value = false; // Phones permit it and then let no page do it: the setting says so.
  }
}
