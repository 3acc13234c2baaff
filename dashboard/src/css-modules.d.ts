/** The class names of a CSS module. test/styles.test.ts checks that the used names exist. */
declare module "*.module.css" {
  const classNames: Readonly<Record<string, string>>;
  export = classNames;
}

declare module "*.css";
