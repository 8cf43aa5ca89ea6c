"""The engine: what a shadow campaign is asked to do, how it is planned, run, recorded, resumed and read back."""
