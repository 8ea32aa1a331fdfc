"""How well versions and other readers read named sets: measured, tabled, drawn, explained."""
