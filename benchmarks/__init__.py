"""How fast the suite is, as ratios in one run; nothing here is asserted."""
