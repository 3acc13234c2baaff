-- Whom telephony rings during a wrap-up goes on with it when that call is not taken: it is kept like a second call.
alter table agents drop constraint agents_also_status_check;
alter table agents add constraint agents_also_status_check check (also_status in ('offered', 'on_call', 'wrap_up'));
