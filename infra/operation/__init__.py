"""Operations: health findings, logs, dead letters, keys, backups."""
