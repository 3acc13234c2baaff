import "./styles/tokens.css";
import "./styles/base.css";
import { render } from "preact";
import { ServerClock } from "./clock";
import { type Config, readConfig } from "./config";
import { narrowPolicy } from "./policy";
import { applyTheme } from "./preferences";
import { takeTokenFromAddress } from "./session";
import { texts } from "./texts";
import { App } from "./view/App";
import { Notice } from "./view/shell/Notice";

takeTokenFromAddress();
// A new address in the same tab contains another token: start over with it.
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
