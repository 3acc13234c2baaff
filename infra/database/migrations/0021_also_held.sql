-- A second call that has an agent, told before the first let go: the agent is its when the first does. Without it an agent
-- who talks would be free as soon as the end of the call before was heard of, and another call would be offered.
alter table agents
    add column also_call_id text,
    add column also_status text check (also_status in ('offered', 'on_call')),
    add column also_since timestamptz;
-- `available` is kept too: said after a miss that is concluded late, it is the last word.
alter table agents drop constraint agents_next_status_check;
