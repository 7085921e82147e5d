"""The page in which `dvc plots show` draws: its drawing library is inside, so that it opens without a network."""

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
    """A frame with DVC's placeholder `{plot_divs}`; its plots call `vegaEmbed`, which the bundle brings."""
    bundle = vl_convert.javascript_bundle(None)  # type: ignore[arg-type]  # its types forget the default
    return FRAME.replace("BUNDLE", bundle.replace("</script", "<\\/script"))
