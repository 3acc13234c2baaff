-- What an agent who is on a call, or whose phone rings, has said to be afterwards. Not `available`: that is the rule.
alter table agents
    add column next_status text check (next_status in ('away', 'offline')),
    add column next_reason text;
