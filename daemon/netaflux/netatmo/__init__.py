"""The Netatmo client: authorization, JSON to types, calls within the budget, weather."""
