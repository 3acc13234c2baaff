/** What the floor shows on a new system, before the first queue and before the first call. */

import { useEffect } from "preact/hooks";
import type { Step } from "../../model/first-steps";
import { texts } from "../../texts";
import { Command } from "../shell/Command";
import { Notice } from "../shell/Notice";
import type { Store } from "../store";

const words = texts.firstSteps;

/** With no queues: how to create the first one, or whom to ask. */
export function FirstSteps({ store }: { store: Store }) {
  useEffect(() => {
    store.startedEmpty.value = true;
  }, [store]);
  const { steps, queueId, limitedTo } = store.firstStepsPlan.value;
  if (steps.length === 0) {
    const help = limitedTo.length > 0 ? words.askNamed(limitedTo) : words.ask;
    return (
      <section class="first-steps">
        <Notice title={words.title} help={help} testId="ask-administrator" />
      </section>
    );
  }
  return (
    <section class="first-steps" aria-labelledby="first-steps-title" data-testid="first-steps">
      <h2 id="first-steps-title">{words.title}</h2>
      <p class="first-steps-help">{words.help}</p>
      <p>{words.token}</p>
      <Command label={words.tokenLabel} text={words.tokenCommand} />
      <Steps steps={steps} />
      {limitedTo.length > 0 ? <p class="first-steps-help">{words.askForAgents}</p> : null}
      <Next store={store} queueId={queueId} />
    </section>
  );
}

/** With the first queue and without a call: the steps that are left. */
export function RemainingSteps({ store }: { store: Store }) {
  store.revision.value;
  const { steps, queueId } = store.firstStepsPlan.value;
  const hasAgents = store.feed.directory.agents.size > 0;
  const left = steps.filter(({ id }) => id === "call" || (id === "agent" && !hasAgents));
  return (
    <section class="first-steps" aria-labelledby="first-steps-title" data-testid="remaining-steps">
      <h2 id="first-steps-title">{texts.empty}</h2>
      <p class="first-steps-help">{words.helpAfterQueue}</p>
      <Steps steps={left} />
      <Next store={store} queueId={queueId} />
    </section>
  );
}

function Steps({ steps }: { steps: readonly Step[] }) {
  return (
    <ol>
      {steps.map(({ id, number, command }) => (
        <li key={id} value={number} data-testid={`step-${id}`}>
          <h3>
            <span class="step-number" aria-hidden="true">
              {number}
            </span>
            {words.steps[id].title}
          </h3>
          <p>{words.steps[id].help}</p>
          <Command label={words.steps[id].title} text={command} />
        </li>
      ))}
    </ol>
  );
}

function Next({ store, queueId }: { store: Store; queueId: string }) {
  return (
    <>
      <p>{words.sender}</p>
      <Command
        label={words.senderLabel}
        text={`.venv/bin/switchboard token --role sender --queue ${queueId}`}
      />
      <p>
        <a href={`${store.config.api}/api/docs`}>{words.docs}</a>
      </p>
    </>
  );
}
