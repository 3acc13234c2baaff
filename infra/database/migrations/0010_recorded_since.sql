-- Since when anything of a call is on record: no month of the log before it can hold an event of the call, so that a copy of
-- one is looked for in few months, however many there are. Unknown for what was recorded before: all months are looked at.
alter table calls add column recorded_since timestamptz;
