"""What the sample's users are called, where they live and what they write, in the letters of many languages."""

NAMES = (
    "Ada Lund", "Bruno Zięba", "Céline d'Arc", "Dmitri Орлов", "Eun-ji 김", "Fatima الزهراء", "Gonçalo Sá",
    "Hana Nováková", "İpek Şahin", "João-Pedro Ó Briain", "Krishna कृष्ण", "Lê Thị Mai", "Mei 王美", "Noël O'Hara",
    "Ọlá Adébáyọ̀", "Zoë 🦊 Fox",
)  # fmt: skip
CITIES = ("Zürich", "São Paulo", "Kraków", "İzmir", "大阪", "Reykjavík", "Cork", "München", "Łódź", "Hà Nội")
COMPANIES = ("Acme Group", "Borealis AB", "Cobalt-Crona", "Delta & Sons", "Everest Ltd", "Fjord Works", "Granite Inc")
WORDS = (
    "amber", "bridge", "candle", "drift", "ember", "fable", "garden", "harbour", "island", "juniper", "kettle",
    "lantern", "meadow", "north", "orchard", "pebble", "quiet", "river", "shelter", "timber", "umber", "valley",
    "willow", "yonder", "zephyr", "naïve", "crème", "façade", "übersee", "smörgås",
)  # fmt: skip
