import { render } from "preact";
import { ServerClock } from "./clock";
import { type Config, readConfig } from "./config";
import { narrowPolicy } from "./policy";
import { applyTheme } from "./preferences";
import { takeTokenFromAddress } from "./session";
import { texts } from "./texts";
import { App } from "./view/App";
import { Notice } from "./view/shell/Notice";
import "./styles/base.css";
import "./styles/controls.css";
import "./styles/parts.css";
import "./styles/shell.css";
import "./styles/floor.css";
import "./styles/call.css";
import "./styles/agents.css";
import "./styles/figures.css";
import "./styles/alerts.css";
import "./styles/letters.css";
import "./styles/first-steps.css";
import "./styles/forced.css";

takeTokenFromAddress();
// A new address pasted into the same tab brings another token: start over with it.
addEventListener("hashchange", () => {
  if (takeTokenFromAddress()) location.reload();
});
applyTheme();

const root = document.getElementById("root");
if (root === null) throw new Error("index.html lacks #root");
const clock = new ServerClock(Date.now);

readConfig(clock).then(
  (config: Config) => {
    narrowPolicy(config.api, config.websocket);
    render(<App config={config} clock={clock} />, root);
  },
  () => render(<Notice title={texts.noConfig} help={texts.noConfigHelp} tone="past" />, root),
);
