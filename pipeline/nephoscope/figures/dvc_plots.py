"""The HTML template of `dvc plots show`, with the plotting library inside, so that it opens offline."""

import vl_convert

FRAME = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>nephoscope: plots</title>
<script>
(() => {
BUNDLE
})();
</script>
</head>
<body>
{plot_divs}
</body>
</html>
"""


def plots_page() -> str:
    """A page with DVC's placeholder `{plot_divs}`. The plots of DVC call `vegaEmbed` of the bundle."""
    bundle = vl_convert.javascript_bundle(None)  # type: ignore[arg-type]  # its type stubs lack the default
    return FRAME.replace("BUNDLE", bundle.replace("</script", "<\\/script"))
