"""A cell -> Dockerfile text: Jinja with StrictUndefined, values from YAML through quoting filters only."""

from rocmimg.render.dockerfile import Rendered, Stage, render
from rocmimg.render.network import network_files, proxy_arguments

__all__ = ["Rendered", "Stage", "network_files", "proxy_arguments", "render"]
