"""Small cells: before a role that may not see them is shown a number, the protected entities behind it are counted on the lines."""
