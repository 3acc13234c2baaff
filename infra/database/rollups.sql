-- name: months
-- Months whose calls are complete, oldest first.
-- The sums of a dropped month stay and are not compared: late calls may have created its partition again.
select month, month + interval '1 month' from (
    select to_date(right(c.relname, 7), 'YYYY_MM')::timestamp at time zone 'UTC' as month
    from pg_inherits i join pg_class c on c.oid = i.inhrelid
    where i.inhparent = 'calls'::regclass and c.relname ~ '_\d{4}_\d{2}$$'
    union select date_trunc('month', archive_time, 'UTC') from calls_other
) known where month >= (select kept_since from call_retention) order by month
