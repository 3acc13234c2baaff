/** Shown on a new system, before the first queue and before the first call. */

import { useEffect } from "preact/hooks";
import type { FirstStepsPlan, Step } from "../../model/first-steps";
import { texts } from "../../texts";
import { Command } from "../shell/Command";
import { Notice } from "../shell/Notice";
import * as styles from "./FirstSteps.module.css";

const labels = texts.firstSteps;

interface FirstStepsProps {
  plan: FirstStepsPlan;
  api: string;
  onShown: () => void;
}

/** Before the first queue: the commands that create it, or whom to ask. */
export function FirstSteps({ plan, api, onShown }: FirstStepsProps) {
  useEffect(onShown, []);
  const { steps, queueId, limitedTo } = plan;
  if (steps.length === 0) {
    const help = limitedTo.length > 0 ? labels.askNamed(limitedTo) : labels.ask;
    return (
      <section class={styles.firstSteps}>
        <Notice title={labels.title} help={help} testId="ask-administrator" />
      </section>
    );
  }
  return (
    <section class={styles.firstSteps} aria-labelledby="first-steps-title" data-testid="first-steps">
      <h2 id="first-steps-title">{labels.title}</h2>
      <p class={styles.firstStepsHelp}>{labels.help}</p>
      <p>{labels.token}</p>
      <Command label={labels.tokenLabel} text={labels.tokenCommand} />
      <Steps steps={steps} />
      {limitedTo.length > 0 ? <p class={styles.firstStepsHelp}>{labels.askForAgents}</p> : null}
      <NextSteps queueId={queueId} api={api} />
    </section>
  );
}

interface RemainingStepsProps {
  plan: FirstStepsPlan;
  hasAgents: boolean;
  api: string;
}

/** Before the first call, when there is a queue: the remaining steps. */
export function RemainingSteps({ plan, hasAgents, api }: RemainingStepsProps) {
  const remaining = plan.steps.filter(({ id }) => id === "call" || (id === "agent" && !hasAgents));
  return (
    <section class={styles.firstSteps} aria-labelledby="first-steps-title" data-testid="remaining-steps">
      <h2 id="first-steps-title">{texts.empty}</h2>
      <p class={styles.firstStepsHelp}>{labels.helpAfterQueue}</p>
      <Steps steps={remaining} />
      <NextSteps queueId={plan.queueId} api={api} />
    </section>
  );
}

function Steps({ steps }: { steps: readonly Step[] }) {
  return (
    <ol>
      {steps.map(({ id, number, command }) => (
        <li key={id} value={number} data-testid={`step-${id}`}>
          <h3>
            <span class={styles.stepNumber} aria-hidden="true">
              {number}
            </span>
            {labels.steps[id].title}
          </h3>
          <p>{labels.steps[id].help}</p>
          <Command label={labels.steps[id].title} text={command} />
        </li>
      ))}
    </ol>
  );
}

function NextSteps({ queueId, api }: { queueId: string; api: string }) {
  return (
    <>
      <p>{labels.sender}</p>
      <Command
        label={labels.senderLabel}
        text={`.venv/bin/switchboard token --role sender --queue ${queueId}`}
      />
      <p>
        <a href={`${api}/api/docs`}>{labels.docs}</a>
      </p>
    </>
  );
}
