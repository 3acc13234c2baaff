import type { Flag } from "../../contracts";
import { texts } from "../../texts";
import * as styles from "./Flags.module.css";

/** The flags of a call. */
export function Flags({ flags }: { flags: readonly Flag[] }) {
  return (
    <>
      {flags.map((flag) => (
        <span key={flag} class={styles.flag} data-flag={flag}>
          {texts.flags[flag] ?? flag}
        </span>
      ))}
    </>
  );
}
