-- Since when the call that has the agent does, or the last one did. What the agent said during a call and is heard of only
-- when the call is over holds as if it had been heard of in time.
alter table agents add column engaged_since timestamptz;
