"""How a run is told: report.json is the record, the other formats are functions of it."""
