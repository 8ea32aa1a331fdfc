"""What people corrected in readings: how it is kept, by the API, and found, by the trainer."""
