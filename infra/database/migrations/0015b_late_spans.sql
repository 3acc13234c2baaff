-- Figures up to now: what has ended since a moment ago, whoever's it was. Further back each agent's spans are walked.
create index agent_spans_ended on agent_spans (ended);
