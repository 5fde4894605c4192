"""images.yaml -> a frozen, typed Matrix: schema, positions for errors, cascade, selection of cells."""

from rocmimg.matrix.cascade import parse_set
from rocmimg.matrix.cell import Cell, Matrix, ResolvedComponent
from rocmimg.matrix.load import load
from rocmimg.matrix.select import Selection, select

__all__ = ["Cell", "Matrix", "ResolvedComponent", "Selection", "load", "parse_set", "select"]
