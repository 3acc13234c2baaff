/** What travels between the API and this page. Mirrors the Python contracts, field by field. */

export type CallType = "voice" | "video";
export type CallStatus = "waiting" | "active" | "on_hold" | "ended";
export type EndReason = "completed" | "abandoned" | "failed";
export type Flag = "sla_breached" | "hold_exceeded" | "short_call" | "rerouted";
export type DeadlineKind = "answer" | "sla_wait" | "hold";
export type EventSource = "telephony" | "system" | "history";
export type AgentStatus = "offline" | "available" | "offered" | "on_call" | "wrap_up" | "away";

export interface Offer {
  agentId: string;
  offeredAt: string;
  dueAt: string;
  attempt: number;
}

export interface Deadline {
  kind: DeadlineKind;
  dueAt: string;
}

export interface Call {
  id: string;
  type: CallType;
  status: CallStatus;
  queueId: string;
  startTime: string;
  endTime: string | null;
  agentId: string | null;
  language: string | null;
  waitSeconds: number | null;
  holdSeconds: number;
  durationSeconds: number | null;
  endReason: EndReason | null;
  flags: Flag[];
  offer: Offer | null;
  deadline: Deadline | null;
  version: number;
  metadata: Record<string, unknown>;
}

export interface Event {
  id: string;
  callId: string;
  type: string;
  timestamp: string;
  occurredAt: string | null;
  receivedAt: string;
  source: EventSource;
  position: number;
  version: number | null;
  void: boolean;
  metadata: Record<string, unknown>;
}

export interface Queue {
  id: string;
  name: string;
  language: string | null;
  slaSeconds: number;
  answerSeconds: number;
  holdSeconds: number;
  shortCallSeconds: number;
  wrapUpSeconds: number;
}

export interface Agent {
  id: string;
  name: string;
  languages: string[];
  queues: string[];
  status: AgentStatus;
  statusSince: string;
  callId: string | null;
  reason: string | null;
}

/** RFC 9457. */
export interface Problem {
  type: string;
  title: string;
  status: number;
  detail?: string;
  errors?: { field: string; message: string }[];
}

export interface CallPage {
  data: Call[];
  nextCursor: string | null;
  position: number;
}

export interface EventPage {
  data: Event[];
  nextCursor: string | null;
}

export interface QueueList {
  data: Queue[];
}

export interface AgentList {
  data: Agent[];
}

export type ClientFrame =
  | { action: "subscribe"; topics: string[]; since?: number }
  | { action: "unsubscribe"; topics: string[] }
  | { action: "ping" };

export interface SubscribedFrame {
  type: "subscribed";
  topics: string[];
  position: number;
  replayed: boolean;
}

export interface UpdateFrame {
  type: "update";
  position: number;
  calls: Call[];
  events: Event[];
  agents: Agent[];
}

export interface ResetFrame {
  type: "reset";
  topics: string[];
  position: number;
}

export interface PongFrame {
  type: "pong";
}

export interface ErrorFrame {
  type: "error";
  problem: Problem;
}

export type ServerFrame = SubscribedFrame | UpdateFrame | ResetFrame | PongFrame | ErrorFrame;

/** `config.json`, written beside the page at deployment. */
export interface Config {
  /** The prefix to which `/api/calls` is added. */
  api: string;
  websocket: string;
}
