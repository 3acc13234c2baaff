-- Nobody looks inside these in a query that must be quick, and most are read back whole: kept as the text that was
-- sent, which costs neither taking apart when written nor putting together when read.
alter table calls alter column state drop default, alter column state type json using state::json,
    alter column state set default '{}';
alter table events alter column data type json using data::json, alter column metadata type json using metadata::json;
