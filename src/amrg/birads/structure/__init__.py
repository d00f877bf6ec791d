"""What a text is made of: tables, sections with their side and examination, addenda."""
