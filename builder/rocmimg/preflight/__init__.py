"""The cells of a matrix held against the rooms that know nothing of cells: contract and pins."""
