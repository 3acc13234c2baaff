import { SearchIcon } from "./icons";
import * as styles from "./Search.module.css";
import * as textStyles from "./text.module.css";

interface SearchProps {
  label: string;
  value: string;
  onText: (text: string) => void;
}

/** The search field of a view. The key `/` focuses it. */
export function Search({ label, value, onText }: SearchProps) {
  return (
    <label class={styles.search}>
      <SearchIcon />
      <span class={textStyles.hidden}>{label}</span>
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
