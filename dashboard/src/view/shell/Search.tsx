import { SearchIcon } from "./icons";

interface SearchProps {
  label: string;
  value: string;
  onText: (text: string) => void;
}

/** The field that `/` leads to. */
export function Search({ label, value, onText }: SearchProps) {
  return (
    <label class="search">
      <SearchIcon />
      <span class="hidden">{label}</span>
      <input
        type="search"
        placeholder={label}
        data-search
        data-testid="filter-text"
        value={value}
        onInput={(event) => onText(event.currentTarget.value)}
      />
    </label>
  );
}
