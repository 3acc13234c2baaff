"""Settings of the documentation site: `make docs` builds it with Sphinx, and warnings are errors (docs/adr/0001).

The mermaid script is taken from the environment, so the site requests nothing from other hosts. Without scripts, a page
shows the text of its diagrams.
"""

from html import escape
from importlib.util import find_spec
from pathlib import Path

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

project = "Switchboard"
html_title = "Switchboard"
html_theme = "furo"
html_show_copyright = False
html_show_sphinx = False
html_copy_source = False
extensions = ["myst_parser"]
myst_heading_anchors = 4
myst_fence_as_directive = {"mermaid"}
exclude_patterns = ["feed-vectors"]
html_extra_path = ["openapi.json", "asyncapi.json", "switchboard.schema.json"]
_mermaidx = find_spec("mermaidx")
assert _mermaidx
assert _mermaidx.origin
html_static_path = [str(Path(_mermaidx.origin).with_name("assets") / "mermaid.js")]


class Mermaid(SphinxDirective):
    """A ```mermaid fence, kept as text for the script in the page."""

    has_content = True

    def run(self) -> list[nodes.Node]:
        text = escape("\n".join(self.content))
        return [nodes.raw("", f'<pre class="mermaid" style="background: white">{text}</pre>', format="html")]


def add_script(app: Sphinx, _page: str, _template: str, context: dict[str, object], _doctree: object) -> None:
    """Load the script only on pages that have a diagram."""
    if 'class="mermaid"' in str(context.get("body", "")):
        app.add_js_file("mermaid.js", defer="defer")


def setup(app: Sphinx) -> None:
    app.add_directive("mermaid", Mermaid)
    app.connect("html-page-context", add_script)
