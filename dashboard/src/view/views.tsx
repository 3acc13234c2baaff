/** Joins the store with the views: reads the signals that a view needs, and passes their values. */

import { texts } from "../texts";
import { Agents } from "./agents/Agents";
import { Alerts } from "./alerts/Alerts";
import { CallPanel } from "./call/CallPanel";
import type { CallHistory } from "./call/call-history";
import { Calls } from "./calls/Calls";
import { DeadLetters } from "./dead-letters/DeadLetters";
import { Figures } from "./figures/Figures";
import { CallList } from "./floor/CallList";
import { FilterBar } from "./floor/FilterBar";
import { FirstSteps } from "./floor/FirstSteps";
import { LanguageCards } from "./floor/LanguageCards";
import { ListNotice } from "./floor/ListNotice";
import { Tiles } from "./floor/Tiles";
import { Header } from "./shell/Header";
import type { Store } from "./store";

interface ViewProps {
  store: Store;
}

export function FloorView({ store }: ViewProps) {
  if (store.hasNoQueues.value) {
    return (
      <FirstSteps
        plan={store.firstStepsPlan.value}
        api={store.config.api}
        onShown={() => {
          store.startedEmpty.value = true;
        }}
      />
    );
  }
  return (
    <>
      <TilesView store={store} />
      <LanguageCards
        summaries={store.languageSummaries.value}
        chosen={store.filters.value.language}
        onChoose={(language) => store.setFilters({ language })}
      />
      <FilterBarView store={store} />
      <CallListView store={store} />
    </>
  );
}

function TilesView({ store }: ViewProps) {
  const summary = store.summary.value;
  return (
    <Tiles
      summary={store.feedStatus.value.confirmedAt !== null || summary.total > 0 ? summary : null}
      filters={store.filters.value}
      onChoose={(filters, isPressed) => {
        store.setFilters(filters);
        if (!isPressed) store.cursorId.value = store.calls.value[0]?.id ?? null;
      }}
    />
  );
}

function FilterBarView({ store }: ViewProps) {
  const { queues, agents } = store.directory.value;
  const isConfirmed = store.feedStatus.value.confirmedAt !== null;
  return (
    <FilterBar
      filters={store.filters.value}
      queues={queues}
      agents={agents}
      cardLanguages={store.languageSummaries.value.map(({ language }) => language)}
      count={isConfirmed ? texts.filters.shown(store.calls.value.length, store.liveCount.value) : ""}
      onFilter={(change, options) => store.setFilters(change, options)}
      onClear={() => store.clearFilters()}
    />
  );
}

function CallListView({ store }: ViewProps) {
  const { queues, agents } = store.directory.value;
  store.missedOffersRead.value;
  return (
    <CallList
      entries={store.entries.value}
      group={store.filters.value.group}
      now={store.shownNow.value}
      queues={queues}
      agents={agents}
      findFree={store.findFree.value}
      missedBy={(call) => store.missedOffers.missedBy(call)}
      openId={store.openId.value}
      cursorId={store.cursorId.value}
      onCursor={(callId) => {
        store.cursorId.value = callId;
      }}
      onOpen={store.open}
      notice={<ListNoticeView store={store} />}
    />
  );
}

function ListNoticeView({ store }: ViewProps) {
  const { connection, confirmedAt, errorMessage } = store.feedStatus.value;
  return (
    <ListNotice
      isConfirmed={confirmedAt !== null}
      connection={connection}
      errorMessage={errorMessage}
      liveCount={store.liveCount.value}
      plan={store.startedEmpty.value ? store.firstStepsPlan.value : null}
      hasAgents={store.directory.value.agents.size > 0}
      api={store.config.api}
      onRetry={() => store.feed.retryNow()}
      onClearFilters={() => store.clearFilters()}
    />
  );
}

/** Values that most views take. */
function commonOf({ router, directory, shownNow, localNow, api, openResource, open }: Store) {
  return {
    query: router.query.value,
    directory: directory.value,
    now: shownNow.value,
    localNow: localNow.value,
    api,
    openResource,
    onQuery: router.patch,
    onOpen: open,
  };
}

function AgentsView({ store }: ViewProps) {
  return <Agents {...commonOf(store)} languages={store.languages.value} day={store.day.value} />;
}

function FiguresView({ store }: ViewProps) {
  return (
    <Figures
      {...commonOf(store)}
      day={store.day.value}
      summary={store.summary.value}
      onGo={(address) => store.router.go(address)}
    />
  );
}

function AlertsView({ store }: ViewProps) {
  return (
    <Alerts
      {...commonOf(store)}
      alerts={store.alerts.all.value}
      isFull={store.alerts.isFull.value}
      serverNow={() => store.now.peek()}
    />
  );
}

function DeadLettersView({ store }: ViewProps) {
  return <DeadLetters {...commonOf(store)} canRetry={store.claims.role === "admin"} />;
}

function CallsView({ store }: ViewProps) {
  return <Calls {...commonOf(store)} openId={store.openId.value} onHalt={store.endSession} />;
}

export const VIEW_COMPONENTS = {
  floor: FloorView,
  agents: AgentsView,
  figures: FiguresView,
  alerts: AlertsView,
  "dead-letters": DeadLettersView,
  calls: CallsView,
};

export function CallPanelView({ store, history }: ViewProps & { history: CallHistory }) {
  return <CallPanel {...commonOf(store)} history={history} onClose={() => store.open(null)} />;
}

interface HeaderViewProps extends ViewProps {
  onSignOut: () => void;
  onHelp: () => void;
}

export function HeaderView({ store, onSignOut, onHelp }: HeaderViewProps) {
  const { connection, confirmedAt, errorMessage } = store.feedStatus.value;
  return (
    <Header
      view={store.router.view.value}
      openAlerts={store.alerts.open.value.length}
      now={store.now.value}
      connection={connection}
      errorMessage={errorMessage}
      ageMs={confirmedAt === null ? null : store.localNow.value - confirmedAt}
      confirmedAt={confirmedAt === null ? null : confirmedAt + store.clock.offsetMs}
      hasNoQueues={store.hasNoQueues.value}
      onRetry={() => store.feed.retryNow()}
      onSignOut={onSignOut}
      onHelp={onHelp}
    />
  );
}
